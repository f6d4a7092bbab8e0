<?xml version="1.0" encoding="UTF-8"?>
<!-- A requisition as POOR_IN200901UV, a change or a cancellation as POOR_IN200902UV. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns="urn:hl7-org:v3" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <xsl:choose>
      <xsl:when test="Action = 'NEW'">
        <POOR_IN200901UV ITSVersion="XML_1.0">
          <xsl:call-template name="message"><xsl:with-param name="interaction">POOR_IN200901UV</xsl:with-param></xsl:call-template>
        </POOR_IN200901UV>
      </xsl:when>
      <xsl:otherwise>
        <POOR_IN200902UV ITSVersion="XML_1.0">
          <xsl:call-template name="message"><xsl:with-param name="interaction">POOR_IN200902UV</xsl:with-param></xsl:call-template>
        </POOR_IN200902UV>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="message">
    <xsl:param name="interaction"/>
    <id root="2.16.156.10011.2.5.1.1" extension="{g:value('message_id')}"/>
    <creationTime value="{g:date(Header/SentAt, 'yyyyMMddHHmmss')}"/>
    <interactionId root="2.16.840.1.113883.1.6" extension="{$interaction}"/>
    <processingCode code="P"/>
    <acceptAckCode code="AL"/>
    <receiver typeCode="RCV">
      <device classCode="DEV" determinerCode="INSTANCE"><id><item root="2.16.156.10011.2.5.1.3" extension="{g:value('partner')}"/></id></device>
    </receiver>
    <sender typeCode="SND">
      <device classCode="DEV" determinerCode="INSTANCE"><id><item root="2.16.156.10011.2.5.1.3" extension="{g:value('our_code')}"/></id></device>
    </sender>
    <controlActProcess classCode="CACT" moodCode="EVN">
      <subject typeCode="SUBJ">
        <observationRequest classCode="OBS" moodCode="RQO">
          <id><item root="2.16.156.10011.1.24" extension="{RequisitionNo}"/></id>
          <xsl:if test="Action != 'CANCEL'"><xsl:call-template name="requisition"/></xsl:if>
        </observationRequest>
      </subject>
    </controlActProcess>
  </xsl:template>

  <xsl:template name="requisition">
    <text value="{Purpose}"/>
    <statusCode code="active"/>
    <effectiveTime value="{g:date(OrderedAt, 'yyyyMMddHHmmss')}"/>
    <priorityCode code="{translate(substring(Priority, 1, 1), 'RUS', '123')}"/>
    <subject typeCode="SBJ">
      <patient classCode="PAT">
        <id><item root="2.16.156.10011.1.11" extension="{Patient/PatientId}"/></id>
        <patientPerson classCode="PSN" determinerCode="INSTANCE">
          <name><item><part value="{Patient/PatientName}"/></item></name>
          <administrativeGenderCode code="{Patient/SexCode}" codeSystem="2.16.156.10011.2.3.3.4"/>
          <xsl:if test="Patient/BirthDate"><birthTime value="{g:date(Patient/BirthDate, 'yyyyMMdd')}"/></xsl:if>
        </patientPerson>
      </patient>
    </subject>
    <author typeCode="AUT">
      <assignedEntity classCode="ASSIGNED">
        <id><item root="2.16.156.10011.1.4" extension="{OrderingDoctorCode}"/></id>
        <assignedPerson classCode="PSN" determinerCode="INSTANCE"><name><item><part value="{OrderingDoctorName}"/></item></name></assignedPerson>
      </assignedEntity>
    </author>
    <xsl:for-each select="Items/Item">
      <component2 typeCode="COMP">
        <observationRequest classCode="OBS" moodCode="RQO">
          <id extension="{OrderNo}"/>
          <code code="{ItemCode}"><displayName value="{ItemName}"/></code>
          <xsl:if test="Method"><methodCode><item><displayName value="{Method}"/></item></methodCode></xsl:if>
          <xsl:if test="BodyPartCode"><targetSiteCode><item code="{BodyPartCode}"><displayName value="{BodyPartName}"/></item></targetSiteCode></xsl:if>
        </observationRequest>
      </component2>
    </xsl:for-each>
    <componentOf1 typeCode="COMP">
      <encounter classCode="ENC" moodCode="EVN">
        <id><item root="2.16.156.10011.1.12" extension="{Visit/VisitNo}"/></id>
        <code code="{Visit/VisitType}" codeSystem="2.16.156.10011.2.3.1.271"/>
        <xsl:for-each select="Diagnoses/Diagnosis">
          <pertinentInformation1><observationDx classCode="OBS" moodCode="EVN"><value code="{Code}"><displayName value="{Name}"/></value></observationDx></pertinentInformation1>
        </xsl:for-each>
      </encounter>
    </componentOf1>
  </xsl:template>
</xsl:stylesheet>
